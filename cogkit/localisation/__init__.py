"""Is the map right? Maps of words against the regions where their objects truly are."""
