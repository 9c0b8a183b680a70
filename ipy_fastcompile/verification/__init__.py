"""artifact -> does it load and compute where nothing but torch is: `verify`, and what it found."""
