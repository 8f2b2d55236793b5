"""What processes and Postgres may suffer, and what no accepted run may suffer from it."""
