from jsdpipe.base.columns import columns


def test_cells_are_aligned_and_no_line_ends_in_spaces():
    assert columns([("model", "size"), ("a", "1 MB"), ("longer", "")]) == "model   size\na       1 MB\nlonger"


def test_a_cell_stays_on_its_line():
    assert columns([("a\nb", "c")]) == "a\\nb  c"
