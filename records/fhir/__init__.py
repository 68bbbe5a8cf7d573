"""A session as a FHIR R4 Bundle: facts in, a dict out. Pure.

`facts` says what goes in, `bundle.build` is the way in; the other modules make one kind of resource
each. What may be given to whom is decided before: `Facts.cover` holds the consents that cover
substance-use content, and without them nothing here tells of any (`records.part2`).
"""
