"""A session as a FHIR R4 Bundle: facts in, a dict out. Pure.

`facts` says what goes in, `bundle.build` is the way in; the other modules make one kind of resource
each. What may be given to whom is decided before: `Facts.consented` says whether a valid consent
covers substance-use content, and without it nothing here tells of any (`records.part2`).
"""
