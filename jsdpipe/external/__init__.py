"""Methods whose meshes come from elsewhere: files that lie somewhere, or a command that makes each. Torch-free."""
