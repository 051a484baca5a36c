// Sorts a table by the column whose head is pressed: numbers by their value, text by the alphabet,
// the unknown last. Without this script the page reads the same, in the order of the tables.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  if (body.rows.length < 2) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isNumber = head.classList.contains("number");
      const before = head.getAttribute("aria-sort");
      // Numbers begin with the greatest, text with the first of the alphabet.
      const first = isNumber ? "descending" : "ascending";
      const second = isNumber ? "ascending" : "descending";
      const order = before === first ? second : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const valueOf = (row) => {
        const cell = row.cells[column];
        if (!isNumber) return cell.textContent;
        return "sort" in cell.dataset ? Number(cell.dataset.sort) : null;
      };
      const compare = (a, b) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true }));
      };
      const rows = [...body.rows].map((row) => [valueOf(row), row]);
      rows.sort((a, b) => compare(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  });
}
