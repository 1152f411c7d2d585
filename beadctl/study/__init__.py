"""Settings of training against each other, over several seeds: figures, tests, pictures and a report."""
