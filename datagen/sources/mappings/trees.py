"""Trees of replies: the path of the best replies from the root to a leaf."""

from collections.abc import Mapping, Sequence

from datagen.sources.fields import UnfitError
from datagen.sources.mappings.paths import first

Node = Mapping[str, object]


def best_path(root: Node, replies: str, rank: Sequence[str]) -> list[Node]:
    """The nodes from the root to a leaf, each the best reply to the one before.

    Args:
        root: A node.
        replies: Field of a node's replies.
        rank: Fields of its rank; the lowest is best. Of equals, one that was answered comes first.

    >>> two = {"text": "b", "rank": 1}, {"text": "c", "rank": 0}
    >>> [node["text"] for node in best_path({"text": "a", "replies": list(two)}, "replies", ["rank"])]
    ['a', 'c']
    """
    path, node = [root], root
    while isinstance(found := node.get(replies), list):
        below = [each for each in found if isinstance(each, dict) and not each.get("deleted")]
        if not below:
            break
        node = min(below, key=lambda each: _order(each, bool(each.get(replies)), rank))
        path.append(node)
    return path


def _order(node: Node, answered: bool, rank: Sequence[str]) -> tuple[float, bool]:
    found = first(node, rank)
    value = found[1] if found else None
    return (float(value) if isinstance(value, int) and abs(value) < 1 << 31 else float("inf"), not answered)


def best_rows(rows: Sequence[Node], id_key: str, parent_key: str, rank: Sequence[str]) -> list[Node]:
    """The best path of a tree whose nodes are rows.

    Args:
        rows: The nodes in any order.
        id_key: Field of a row's id.
        parent_key: Field of the id of the row that it replies to; empty for the root.
        rank: As of `best_path`.

    Raises:
        UnfitError: `bad_turns` if no row begins the tree.

    >>> rows = [{"id": "a", "of": None}, {"id": "b", "of": "a", "rank": 1}, {"id": "c", "of": "a", "rank": 0}]
    >>> [row["id"] for row in best_rows(rows, "id", "of", ["rank"])]
    ['a', 'c']
    """
    below: dict[str, list[Node]] = {}
    roots: list[Node] = []
    for row in rows:
        parent = row.get(parent_key)
        if parent is None or parent == "":
            roots.append(row)
        elif not row.get("deleted"):
            below.setdefault(str(parent), []).append(row)
    if not roots:
        raise UnfitError("bad_turns", f"no row without {parent_key}, so no turn begins the tree")
    path, seen = [roots[0]], {str(roots[0].get(id_key))}
    while following := [row for row in below.get(str(path[-1].get(id_key)), ()) if str(row.get(id_key)) not in seen]:
        path.append(min(following, key=lambda row: _order(row, str(row.get(id_key)) in below, rank)))
        seen.add(str(path[-1].get(id_key)))
    return path
