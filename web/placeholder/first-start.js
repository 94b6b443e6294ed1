// Makes the first administrator by the one-time link, whose secret is the part of the address behind the # character:
// that part is never sent to a server by itself, and so is in no log.
"use strict";

const form = document.getElementById("form");
const message = document.getElementById("message");
const button = document.getElementById("button");
const field = (id) => document.getElementById(id);
const link = location.hash.slice(1);

function say(text, bad) {
  message.textContent = text;
  message.className = bad ? "bad" : "good";
}

// The secret does not stay in the address bar or the history.
history.replaceState(null, "", location.pathname);

if (link === "") {
  form.hidden = true;
  say("The address has no link in it. Open the whole link that the hub printed, or run `farshore-hub admin-link` on the hub's machine for another.", true);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const username = field("username").value.trim();
  const password = field("password").value;
  if (password !== field("again").value) {
    say("The two passwords differ: type them again.", true);
    field("again").focus();
    return;
  }
  button.disabled = true;
  try {
    const answer = await fetch("api/v1/session/first-admin", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Farshore": "1" },
      body: JSON.stringify({ link, username, password }),
    });
    if (answer.ok) {
      form.hidden = true;
      say(`The administrator ${username} is made.`, false);
      field("who").textContent = username;
      field("address").textContent = document.baseURI.replace(/\/$/, "");
      field("done").hidden = false;
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    say(problem.detail || `The hub answered with ${answer.status}: try again.`, true);
  } catch {
    say("The hub cannot be reached: check that it runs, and try again.", true);
  }
  button.disabled = false;
});
