"""What is optimized: a field of density and albedo with a background, and how it is rendered."""
