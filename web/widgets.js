// Loaded between require.js and embed-amd.js on pages that have widgets.
(function () {
  var base = document.currentScript.src.replace(/widgets\.js.*$/, "vendor/");
  requirejs.config({
    paths: {
      anywidget: base + "anywidget/index",
      // so that the widgets' icon font is asked for beside embed-amd.js
      "@jupyter-widgets": base + "widgets",
      "@jupyter-widgets/html-manager": base + "widgets/html-manager",
      "@jupyter-widgets/html-manager/dist": base + "widgets"
    }
  });
  // ipywidgets still calls the MathJax 2 API to typeset labels.
  document.addEventListener("DOMContentLoaded", function () {
    var mathjax = window.MathJax;
    if (!mathjax || mathjax.Hub || !mathjax.startup) return;
    function typeset(element) {
      mathjax.startup.promise = mathjax.startup.promise.then(function () { return mathjax.typesetPromise([element]); });
    }
    mathjax.Hub = {
      Queue: function () {
        for (var i = 0; i < arguments.length; i++) {
          var call = arguments[i];
          if (typeof call === "function") mathjax.startup.promise.then(call);
          else if (call[0] === "Typeset") typeset(call[2]);
        }
      }
    };
  });
})();
