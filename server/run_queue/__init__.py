"""Runs that outlive their request and their process: admitted, claimed under a lease, taken over, ended once."""
