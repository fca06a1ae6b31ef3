"""Results to look at: tables, plots, and the folders that hold them."""
