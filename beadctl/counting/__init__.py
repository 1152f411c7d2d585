"""Statistics of counts: plain numbers in, frozen values out."""
