from podtune.mcp_server import prompts


def test_the_prompt_tells_the_flow_with_the_user_s_own_words(host):
    (told,) = host.talk(lambda agent: agent.list_prompts()).prompts
    assert (told.name, [one.name for one in told.arguments]) == ("fine_tune", ["request"])
    words = "fine-tune {Mistral} on tickets.csv, at most $5"
    got = host.talk(lambda agent: agent.get_prompt("fine_tune", {"request": words}))
    text = got.messages[0].content.text
    assert text.startswith(f"Fine-tune a model with podtune: {words}\n")


def test_it_names_tools_that_are_there_in_their_order(host):
    tools = [tool.name for tool in host.talk(lambda agent: agent.list_tools()).tools]
    order = ["check_data", "plan", "submit", "status", "artifact", "logs"]
    places = [prompts.FLOW.index(f"`{name}`") for name in order]
    assert places == sorted(places)
    assert set(order) <= set(tools)
    assert "wait for my yes" in prompts.FLOW
