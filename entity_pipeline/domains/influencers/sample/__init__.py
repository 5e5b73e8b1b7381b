"""The made-up data of the domain for the sandbox: bloggers, the stand-ins' answers, and the expected results."""
