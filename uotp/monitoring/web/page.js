"use strict";
/* Asks for the body of the page again every few seconds.  The page is whole without this. */
(() => {
  const SECONDS = 5;
  const main = document.querySelector("main");
  const fresh = document.getElementById("fresh");
  const say = (words, isOld) => {
    fresh.textContent = words;
    fresh.classList.toggle("old", isOld);
  };
  const ask = async () => {
    if (document.hidden) {
      return;
    }
    try {
      const answer = await fetch("body", { cache: "no-store" });
      if (!answer.ok) {
        throw new Error(`status ${answer.status}`);
      }
      main.innerHTML = await answer.text();
      say(`As of ${new Date().toLocaleTimeString()}.`, false);
    } catch (error) {
      say(`No answer at ${new Date().toLocaleTimeString()}: what you see is old.`, true);
    }
  };
  say(`As of ${new Date().toLocaleTimeString()}.`, false);
  setInterval(ask, SECONDS * 1000);
  document.addEventListener("visibilitychange", ask);
})();
