# report.awk: awk -v all=1 -f report.awk MARKS ROWS
#
# MARKS: limit, what it limits, name.  ROWS, in the order in which they are to be printed first: name, side (native or
# sandbox), value, unit; or name, side, "-", why there is no value.  The n-th native value of a name belongs to the same
# round as the n-th of the sandbox.  A line prints the median of each side, and the median of the rounds' ratios, which
# need not be the quotient of the two.  A mark is held against what is printed.  With all set, a mark without a row was not met.
BEGIN { FS = "\t" }

function median(v, n,	i, j, t)
{
	for (i = 2; i <= n; i++) {
		t = v[i]
		for (j = i - 1; j > 0 && v[j] > t; j--)
			v[j + 1] = v[j]
		v[j + 1] = t
	}
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

# The median of a side of a row; "" if it has none.
function middle(name, side,	i, n, v)
{
	n = 0 + count[name, side]
	for (i = 1; i <= n; i++)
		v[i] = value[name, side, i]
	return n ? median(v, n) : ""
}

function ratio(name,	i, n, v)
{
	for (n = 0; (name, "native", n + 1) in value && (name, "sandbox", n + 1) in value; n++)
		v[n + 1] = value[name, "sandbox", n + 1] / value[name, "native", n + 1]
	return n ? median(v, n) : ""
}

function text(v, u)
{
	if (v == "")
		return ""
	if (u == "ns")
		return v < 10000 ? sprintf("%.3f us", v / 1000) : sprintf("%.1f us", v / 1000)
	if (u == "us")
		return v < 1000 ? sprintf("%.1f us", v) : sprintf("%.2f ms", v / 1000)
	return u == "s" ? sprintf("%.3f s", v) : sprintf("%.0f %s", v, u)
}

function line(name,	nat, box, r, got, verdict, shown)
{
	nat = middle(name, "native")
	box = middle(name, "sandbox")
	r = ratio(name)
	if (name in limit) {
		got = of[name] == "x" ? r : of[name] == unit[name] ? box : ""
		verdict = got == "" ? "not measured" : sprintf("%.2f", got) + 0 <= limit[name] ? "met" : "missed"
		marks++
		met += verdict == "met"
		shown = of[name] == "x" ? sprintf("%.2fx", limit[name]) : text(limit[name], of[name])
	}
	printf "%-44s %12s %12s %8s %9s %s\n", name, text(nat, unit[name]), text(box, unit[name]), \
	    r == "" ? "" : sprintf("%.2fx", r), shown, verdict
	if (name in why)
		printf "    %s\n", why[name]
}

FNR == 1 { files++ }
/^#/ || NF == 0 { next }
files == 1 { limit[$3] = $1 + 0; of[$3] = $2; order[++nmarks] = $3; next }
{
	if (!($1 in seen)) {
		seen[$1] = 1
		names[++n] = $1
	}
	if ($3 == "-") {
		why[$1] = $2 ": " $4
	} else {
		value[$1, $2, ++count[$1, $2]] = $3
		unit[$1] = $4
	}
}

END {
	printf "%-44s %12s %12s %8s %9s\n", "", "native", "sandbox", "ratio", "at most"
	for (i = 1; i <= n; i++)
		line(names[i])
	for (i = 1; all && i <= nmarks; i++) {
		if (!(order[i] in seen)) {
			why[order[i]] = "no result"
			line(order[i])
		}
	}
	printf "%d of %d marks met\n", met, marks
}
