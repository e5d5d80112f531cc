// Starts Swagger UI. A file of its own: pages run no inline scripts.
// Two things are added to it: a search that looks at everything an operation says, and the samples of the description.
(function () {
  "use strict";

  function wordsOf(each) {
    return (each.get("method") + " " + each.get("path") + " " + JSON.stringify(each.get("operation"))).toLowerCase();
  }

  // Every word must be somewhere: in the path, the summary, the parameters, the errors.
  function opsFilter(taggedOps, phrase) {
    const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
    function has(each) {
      const said = wordsOf(each);
      return words.every((word) => said.includes(word));
    }
    return taggedOps
      .map((tag) => tag.set("operations", tag.get("operations").filter(has)))
      .filter((tag) => tag.get("operations").size > 0);
  }

  function samplesOf(system, props) {
    const found = system.specSelectors.specJson().getIn(["paths", props.path, props.method, "x-codeSamples"]);
    return found ? found.toJS() : [];
  }

  function withSamples(Original, system) {
    const h = system.React.createElement;
    return function Responses(props) {
      const samples = samplesOf(system, props).map((sample) =>
        h(
          "details",
          { key: sample.label, className: "opblock-description-wrapper", "data-sample": sample.label },
          h("summary", null, sample.label),
          h("pre", { className: "microlight" }, sample.source),
        ),
      );
      return h("div", null, samples, h(Original, props));
    };
  }

  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    filter: true,
    // Nothing is sent to a validator of somebody else's.
    validatorUrl: null,
    plugins: [{ fn: { opsFilter }, wrapComponents: { responses: withSamples } }],
  });
})();
