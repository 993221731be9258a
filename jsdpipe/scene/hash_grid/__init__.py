"""A scene of a multi-resolution hash grid."""
