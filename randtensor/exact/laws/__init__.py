"""Laws of single entries, with exact moments and cumulants."""
