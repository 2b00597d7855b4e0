// What scrolls sideways can be reached with the keyboard, so that its arrow keys scroll it.
"use strict";
const markScrolling = () => {
  for (const element of document.querySelectorAll(".table-wrapper, pre > code")) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
};
addEventListener("load", markScrolling);
addEventListener("resize", markScrolling);
