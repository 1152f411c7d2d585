"""From one plane to instances and measurements, in order of execution."""
