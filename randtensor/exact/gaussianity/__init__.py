"""How far the outputs of wide networks are from Gaussian at initialisation: cumulants and expansions in n^-1/2."""
