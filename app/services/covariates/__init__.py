"""What a project's covariates are: their kinds, and how many values they have. Begin with `service`."""
