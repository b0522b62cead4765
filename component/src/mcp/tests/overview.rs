//! `docs/mcp.md` lists each tool, in the order of the list.

use crate::mcp::tool_names;

const PAGE: &str = include_str!("../../../../docs/mcp.md");

#[test]
fn page_lists_exactly_the_tools_in_their_order() {
    let (_, section) = PAGE.split_once("\n## Tools\n").expect("the heading");
    let section = section.split("\n###").next().unwrap();
    let cells = section.lines().filter(|line| line.starts_with("| `")).map(|row| row.split(" | ").next().unwrap());

    let documented: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();

    assert_eq!(documented, tool_names());
}
