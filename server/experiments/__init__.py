"""Two configurations over one data set, compared item by item: what `lab eval run` does."""
