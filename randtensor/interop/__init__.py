"""Models of other libraries as random functions; each module imports its library."""
