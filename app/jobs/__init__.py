"""The job engine behind a small port, and the processes that run jobs. Nothing else imports dbos."""
