"""The kinds of meshes' files, each read into parts."""
