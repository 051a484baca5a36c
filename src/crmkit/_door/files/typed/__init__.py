"""Files and databases whose values have types."""
