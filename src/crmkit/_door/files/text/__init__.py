"""Text files of cells between separators."""
