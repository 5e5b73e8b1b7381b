"""The queue of the domain: the table `scrape_tasks`, its rules, and the run that works through it."""
