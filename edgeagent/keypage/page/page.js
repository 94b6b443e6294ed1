"use strict";

const $ = (id) => document.getElementById(id);
const views = ["ask-pin", "ask-key", "stands", "closed"];
const every = 2000; // ms between looks at how the device stands
let pin = "";

// What each state means to whoever stands before the device.
const states = {
  starting: ["The key is taken", "The device is about to call its hub."],
  knocking: ["Calling the hub", "The device asks to be let in."],
  waiting: ["Waiting to be let in", "Scan the code with a phone that can reach the hub, compare the pairing code, and approve the device."],
  unreachable: ["The hub does not answer", "The device keeps trying. Check its network, and that the hub's address can be reached from here."],
  rejected: ["Not let in", "An operator of the hub has said no."],
  refused: ["The hub refuses the key", "Ask for a new edge key and start the agent with it."],
  approved: ["Let in", "The device is connected to its hub. You can close this page."],
};

function show(view) {
  for (const v of views) $(v).hidden = v !== view;
}

function wrong(field, text) {
  $(field + "-wrong").textContent = text;
  $(field).setAttribute("aria-invalid", String(text !== ""));
  if (text) $(field).focus();
}

// ask sends a request to the device and resolves to its answer; what the device refuses is thrown.
async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const kind = answer.headers.get("Content-Type") || "";
  const content = kind.startsWith("application/json") ? await answer.json() : { field: "pin", text: await answer.text() };
  if (!answer.ok) throw content;
  return content;
}

// failed shows what the device refused; anything else that goes wrong means that it no longer answers.
function failed(problem) {
  if (!problem.field) return show("closed");
  if (problem.field === "pin") {
    pin = "";
    show("ask-pin");
  }
  wrong(problem.field, problem.text);
}

function stand(s) {
  const [title, text] = states[s.state] || [s.state, ""];
  if ($("state").textContent !== title) $("state").textContent = title;
  $("reason").textContent = s.reason || "";
  $("next").textContent = text;
  $("code").textContent = s.code || "";
  $("qr").toggleAttribute("hidden", !s.qr || s.state === "approved");
  $("approve").hidden = !s.approve || s.state === "approved";
  if (s.approve) $("approve").href = s.approve;
  if (s.qr) {
    const size = s.qr_size + 8;
    $("qr").setAttribute("viewBox", `-4 -4 ${size} ${size}`);
    $("modules").setAttribute("d", s.qr);
  }
}

async function look() {
  try {
    const s = await ask("standing", { pin });
    if (s.state === "no-key") {
      show("ask-key");
      return $("key").focus();
    }
    stand(s);
    if ($("stands").hidden) {
      show("stands");
      $("state").focus();
    }
    if (s.state !== "approved") setTimeout(look, every);
  } catch (problem) {
    failed(problem);
  }
}

// on runs send when the form is submitted, once at a time.
function on(form, send) {
  $(form).addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $(form).querySelector("button");
    button.disabled = true;
    try {
      await send();
    } catch (problem) {
      failed(problem);
    } finally {
      button.disabled = false;
    }
  });
}

on("ask-pin", async () => {
  wrong("pin", "");
  const typed = $("pin").value.replace(/\D/g, "");
  if (typed.length !== 6) return wrong("pin", "A PIN has six digits.");
  pin = typed;
  $("pin").value = "";
  await look();
});

on("ask-key", async () => {
  wrong("key", "");
  const key = $("key").value.replace(/\s/g, "");
  if (key === "") return wrong("key", "Paste the edge key here first.");
  await ask("key", { pin, key });
  $("key").value = "";
  await look();
});

show("ask-pin");
$("pin").focus();
