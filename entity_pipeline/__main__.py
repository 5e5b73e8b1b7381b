"""`python -m entity_pipeline` is the command `entity-pipeline`."""

from entity_pipeline.assembly import main

if __name__ == "__main__":
    main()
