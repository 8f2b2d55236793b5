"""What a request says about the form of its answer, a file per kind of demand."""
