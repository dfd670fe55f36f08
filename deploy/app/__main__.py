"""`python -m deploy.app` is the `referral-bus` command."""

from deploy.app.cli import main

main()
