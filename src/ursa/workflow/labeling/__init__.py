"""Pictures without labels -> rows to show, labels in the journal, what accuracy to expect. What a page drives."""
