"""Metrics, scoring against annotations, and calibration of thresholds."""
