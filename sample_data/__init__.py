"""One month of an example company in all five products, and the seeded program that writes it."""
