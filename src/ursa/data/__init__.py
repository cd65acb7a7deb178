"""Where pictures are and what is known of them: the catalog, a row a picture, and its splits.

`sources` make a catalog, `scan` adds what each file holds, `near_duplicates` finds copies, `split` divides it;
`download` fetches what is not there yet.
"""
