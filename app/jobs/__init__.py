"""The job engine behind a small port: nothing else imports dbos."""
