"""How several domains send their statements. No table belongs here, and no connection is opened here."""
