"""How forecasts are made: what is asked for, what is known, what the network reads, what is answered."""
