"""`python -m deploy.app` is the `referral-bus` command."""

from deploy.app.start import main

main()
