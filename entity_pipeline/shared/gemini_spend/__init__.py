"""What all domains together spend on Gemini: two assets without partitions, their job and their schedule.

The ledger itself is `resources/gemini`. No domain owns these assets, and no gate stops them, because they call no
outside system.
"""
