/* The page's behaviour beyond links and forms: times in the viewer's zone, and parts that refresh.
   Everything works without this file, but with times in UTC and without refreshing. */
"use strict";

(function () {
  const root = document.documentElement;
  const language = root.lang;
  const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
  root.classList.add("js");

  function showTimes(within) {
    for (const element of within.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      if (element.dataset.zone === "fixed" || Number.isNaN(at.getTime())) continue;
      element.textContent = full.format(at);
      element.title = exact.format(at) + " · " + element.dateTime;
    }
    for (const element of within.querySelectorAll("[data-viewer-zone]")) {
      element.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    }
  }

  /* Show the result of an action only once: not again after a reload, nor to other people who get the address. */
  const address = new URL(location.href);
  if (address.searchParams.has("done")) {
    address.searchParams.delete("done");
    history.replaceState(history.state, "", address);
  }

  /* Do not read out a part again whose text has not changed. */
  const said = new Map();
  function announce(part) {
    const news = part.querySelector("[data-announce]");
    if (!news) return;
    const text = news.dataset.announce;
    if (said.get(part.id) !== text && said.has(part.id)) document.getElementById("announcer").textContent = text;
    said.set(part.id, text);
  }

  showTimes(document);
  for (const part of document.querySelectorAll("[id$='-now']")) announce(part);

  const body = document.body;
  const away = document.getElementById("connection");

  body.addEventListener("htmx:configRequest", function (event) {
    const sent = event.detail.parameters;
    for (const [name, value] of Array.from(sent.entries())) {
      const field = document.getElementById(name);
      if (value === "" || (field && field.dataset.default === value)) sent.delete(name);
    }
  });

  /* A hidden page sends no requests, and a part whose controls are in use is not replaced. */
  body.addEventListener("htmx:beforeRequest", function (event) {
    const part = event.detail.elt;
    if (!part.matches("[data-refreshes]")) return;
    const inUse = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (document.hidden || inUse) event.preventDefault();
  });

  body.addEventListener("htmx:beforeSend", function (event) {
    event.detail.target.setAttribute("aria-busy", "true");
  });

  body.addEventListener("htmx:afterRequest", function (event) {
    event.detail.target.removeAttribute("aria-busy");
  });

  /* A request that was replaced by a newer one, or cancelled by a click on a link, is not an error. */
  for (const name of ["sendError", "timeout", "responseError"]) {
    body.addEventListener("htmx:" + name, function () { if (away) away.hidden = false; });
  }
  body.addEventListener("htmx:afterOnLoad", function (event) {
    if (away && event.detail.successful) away.hidden = true;
  });

  body.addEventListener("htmx:afterSwap", function (event) {
    showTimes(event.detail.target);
    announce(event.detail.target);
  });

  /* On a phone the list comes first, and the filters open on demand. */
  const filters = document.getElementById("filters-box");
  if (filters && window.matchMedia("(max-width: 62rem)").matches) filters.open = false;

  /* An address with a filter is about the list: begin there, unless the address says where. */
  const list = filters && filters.closest("section");
  const isFiltered = Array.from(address.searchParams.keys()).some(function (name) {
    const field = filters && filters.closest("form").elements.namedItem(name);
    return name === "cursor" || (field && field.type !== "hidden");
  });
  if (list && isFiltered && !location.hash) list.scrollIntoView();

  /* On a phone a chosen filter closes the filters, so that its result is seen. */
  if (filters && list) {
    filters.addEventListener("change", function (event) {
      if (event.target.type !== "radio" || !window.matchMedia("(max-width: 62rem)").matches) return;
      filters.open = false;
      list.scrollIntoView();
    });
  }

  /* If a picture is gone, the letter behind it is shown. */
  for (const picture of document.querySelectorAll("img[data-picture]")) {
    const leave = function () { picture.remove(); };
    if (picture.complete && picture.naturalWidth === 0) leave();
    picture.addEventListener("error", leave);
  }
})();
