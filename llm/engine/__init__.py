"""What runs a loaded model: requests in, tokens out. Importing this package imports no torch."""
