// Tables sort by a click on a heading, long ones fold, and what is wider than the page says that it scrolls.
// Without JavaScript, tables are complete and in their first order.
document.querySelectorAll("table.sortable").forEach(function (table) {
  var body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach(function (heading, column) {
    var button = document.createElement("button");
    button.type = "button";
    while (heading.firstChild) button.appendChild(heading.firstChild);
    heading.appendChild(button);
    button.addEventListener("click", function () {
      var now = heading.getAttribute("aria-sort");
      var rising = now ? now === "descending" : heading.classList.contains("text");
      table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.removeAttribute("aria-sort"); });
      heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
      var rows = Array.prototype.slice.call(body.rows);
      rows.sort(function (first, second) {
        var one = first.cells[column].dataset.key, two = second.cells[column].dataset.key;
        if (one === "" || two === "") return (one === "") - (two === "");
        var order = isNaN(one) || isNaN(two) ? one.localeCompare(two) : one - two;
        return rising ? order : -order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
      fold();
    });
  });
  var limit = Number(table.dataset.limit || 0), button = null;
  function fold() {
    if (!button) return;
    Array.prototype.forEach.call(body.rows, function (row, place) { row.classList.toggle("more", place >= limit); });
  }
  if (limit && body.rows.length > limit) {
    button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    button.textContent = "Show all " + body.rows.length;
    button.addEventListener("click", function () {
      var folded = table.classList.toggle("fewer");
      button.textContent = folded ? "Show all " + body.rows.length : "Show the first " + limit;
    });
    table.parentNode.parentNode.insertBefore(button, table.parentNode.nextSibling);
    table.classList.add("fewer");
    fold();
  }
});
function markScrolling() {
  document.querySelectorAll(".scroll").forEach(function (box) {
    box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  });
}
markScrolling();
window.addEventListener("resize", markScrolling);
window.addEventListener("load", markScrolling);
