// From what the page carries to a page that answers.

async function start() {
  if (!("DecompressionStream" in globalThis)) throw new Error("This browser is too old to unpack the log; any of the last three years can.");
  const [index, ...parts] = document.querySelectorAll("script[data-part]");
  const page = new Page(new Log(await unpacked(index), parts));
  page.filters = new Filters(page);
  byId("zone").textContent = `Times are those of ${page.clock.zone}; a day is the whole day, its end included.`;
  byId("before").addEventListener("click", () => { page.focus = "#before"; page.go({ page: page.state.page - 1 }); });
  byId("after").addEventListener("click", () => { page.focus = "#after"; page.go({ page: page.state.page + 1 }); });
  byId("unpick").addEventListener("click", () => { page.picked.clear(); page.pickAll(false); byId("all").focus(); });
  for (const kind of ["csv", "json", "txt"]) byId(`save-${kind}`).addEventListener("click", () => page.keep(kind));
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("entries").focus(); });
  // What the page itself asked for is shown already; this is for "back" and for a link.
  addEventListener("hashchange", () => { if (location.hash !== page.address) page.show(); });
  addEventListener("beforeprint", () => page.print(true));
  addEventListener("afterprint", () => page.print(false));
  page.show();
  if (active(page.state)) page.filters.reveal(true);
  document.body.dataset.ready = "";
}

start().catch((error) => { byId("status").textContent = `The log cannot be shown: ${visible(error.message)}`; });
