"""How rows of kubectl are read; this needs no cluster."""

from e2e import watching


def test_rows_are_read_by_profile_and_half_a_row_or_a_complaint_is_none() -> None:
    printed = (
        "brittle-x   <none>\n"
        "llamacpp-xyz   <none>\n"
        "brittle-x      43\n"
        "error: the server is away\n"
        "llamacpp-xyz   5"
    )

    assert watching.qualities(printed) == {"brittle-x": ["<none>", "43"], "llamacpp-xyz": ["<none>"]}
