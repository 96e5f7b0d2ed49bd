#include "models/run/html.hpp"

#include "models/run/chart.hpp"
#include "models/run/report_style.hpp"

namespace fraqat::run::html {

using std::string;
using std::string_view;

string tile(const string& number, const string& meaning, string_view css) {
  return concat("<div class=\"tile ", css, "\"><b>", escape(number), "</b><span>", escape(meaning),
                "</span></div>");
}

string figure(string_view title, string_view text, const string& svg) {
  if (svg.empty()) return {};
  return concat("<figure class=\"card\"><figcaption><h3>", escape(title), "</h3><p>", escape(text),
                "</p></figcaption><div class=\"scroll\">", svg, "</div></figure>\n");
}

string row(const std::vector<string>& cells, string_view cell, string_view css) {
  string html = css.empty() ? "<tr>" : concat("<tr class=\"", css, "\">");
  const string_view scope = cell == "th" ? " scope=\"col\"" : "";
  for (const string& text : cells)
    html += concat("<", cell, scope, ">", escape(text), "</", cell, ">");
  return html + "</tr>\n";
}

string table(const string& head, const string& body) {
  return concat("<div class=\"card scroll\"><table><thead>", head, "</thead><tbody>", body,
                "</tbody></table></div>\n");
}

string entry(string_view term, const string& text) {
  return text.empty() ? "" : concat("<dt>", escape(term), "</dt><dd>", escape(text), "</dd>\n");
}

string folded(string_view title, const string& content) {
  if (content.empty()) return {};
  return concat("<details class=\"card\"><summary>", escape(title), "</summary>", content,
                "</details>\n");
}

string page(const string& title, const string& content) {
  return concat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>",
      escape(title), " \u2013 fraqat</title>\n<style>", report_style,
      "</style>\n</head>\n<body>\n<main>\n<h1>", escape(title), "</h1>\n", content,
      "</main>\n</body>\n</html>\n");
}

}  // namespace fraqat::run::html
