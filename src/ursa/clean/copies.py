"""Pictures that occur more than once, byte for byte or nearly. catalog, embeddings -> a finding a group."""

from ursa.clean.duplicates import duplicates
from ursa.clean.leaks import near_duplicates
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings


def copies(catalog: Catalog, embeddings: Embeddings | None = None) -> list[Finding]:
    """Exact duplicates, then near ones. `where` holds a group's members, `numbers.keep` the one to keep.

    A group is told once: identical files that have near duplicates, too, are members of that group. No keeper is named
    where labels differ, since that says which label is right.
    """
    exact, near = duplicates(catalog), near_duplicates(catalog, embeddings)
    larger = [frozenset(finding.where) for finding in near if "keep" in finding.numbers]
    of_member = {id: group for group in larger for id in group}
    told = [
        finding
        for finding in exact
        if not ("keep" in finding.numbers and of_member.get(finding.where[0], frozenset()) >= {*finding.where})
    ]
    return [*told, *near]
