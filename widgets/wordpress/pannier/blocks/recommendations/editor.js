/** The editor's side of the block: three settings and a placeholder. Plain JavaScript, no build step. */
(({ blockEditor, blocks, components, element, i18n }) => {
  const { createElement: el, Fragment } = element;
  const { __ } = i18n;

  function sidebar({ attributes, setAttributes }) {
    const set = (name) => (value) => setAttributes({ [name]: value });
    return el(
      blockEditor.InspectorControls,
      null,
      el(
        components.PanelBody,
        { title: __("Recommendations", "pannier") },
        el(components.SelectControl, {
          __nextHasNoMarginBottom: true,
          __next40pxDefaultSize: true,
          label: __("Goes with", "pannier"),
          value: attributes.slot,
          options: [
            { value: "product", label: __("the product", "pannier") },
            { value: "cart", label: __("the cart", "pannier") },
          ],
          onChange: set("slot"),
        }),
        attributes.slot === "product" &&
          el(components.TextControl, {
            __nextHasNoMarginBottom: true,
            __next40pxDefaultSize: true,
            type: "number",
            min: 0,
            label: __("Product number", "pannier"),
            help: __("Empty: the product of the page.", "pannier"),
            value: attributes.productId || "",
            onChange: (typed) => setAttributes({ productId: Math.max(0, Number.parseInt(typed, 10) || 0) }),
          }),
        el(components.RangeControl, {
          __nextHasNoMarginBottom: true,
          __next40pxDefaultSize: true,
          label: __("Products at most", "pannier"),
          min: 1,
          max: 10,
          value: attributes.limit,
          onChange: set("limit"),
        }),
        el(components.TextControl, {
          __nextHasNoMarginBottom: true,
          __next40pxDefaultSize: true,
          label: __("Heading", "pannier"),
          help: __("Empty: “Often bought together” in the shopper’s language.", "pannier"),
          value: attributes.heading,
          onChange: set("heading"),
        }),
      ),
    );
  }

  function Edit(props) {
    const placeholder = el(components.Placeholder, {
      icon: "cart",
      label: props.attributes.heading || __("Bought together", "pannier"),
      instructions: __(
        "In the shop, this place shows products that are bought together. It stays empty where there are none.",
        "pannier",
      ),
    });
    return el(Fragment, null, sidebar(props), el("div", blockEditor.useBlockProps(), placeholder));
  }

  blocks.registerBlockType("pannier/recommendations", { edit: Edit, save: () => null });
})(window.wp);
